"""Sources that propose candidates, and the merge of what they propose."""
