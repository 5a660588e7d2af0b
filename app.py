"""The entry script: page settings and navigation; what a page shows stands in pages/."""

from cnnviz.ui import frame, history

frame.enter()
frame.navigation().run()
history.opened()
