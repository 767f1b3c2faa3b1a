"""What people touch: the `conceptree` command and the workbench."""
