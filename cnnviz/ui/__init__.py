"""The Streamlit pieces that pages share: the frame, the owner, the picture strip."""
