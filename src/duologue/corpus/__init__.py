"""The data model and the dataset on disk: the only thing that rooms share."""
