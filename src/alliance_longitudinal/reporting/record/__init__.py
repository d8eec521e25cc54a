"""What a report is made of and where it is kept: the request, its inputs, the folder, the manifest."""
