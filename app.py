"""The entry script: page settings and navigation; what a page shows stands in pages/."""

from cnnviz.ui import frame

frame.enter()
frame.navigation().run()
