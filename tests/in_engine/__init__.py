"""Stands for cnnviz.networks in tests of the engine: functions that crash, hang and count, out of reach of the app."""
