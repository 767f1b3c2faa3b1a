"""The workbench: a Streamlit server on a folder of runs. Pages read the store and start `conceptree` jobs."""
