from before import metadata
