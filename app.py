"""The entry script. `streamlit run` imports it once, for the server, which runs it at every visit, for the page."""

import streamlit as st

from cnnviz.ui import server

if __name__ == "__main__":
    server.wait()
    from cnnviz.ui import frame, history

    frame.enter()
    frame.navigation().run()
    history.opened()
else:
    app = st.App(__file__, middleware=server.middleware, lifespan=server.lifespan)
