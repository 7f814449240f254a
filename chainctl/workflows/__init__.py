"""What each verb does, one straight function a file: values and protocols in, a result out."""
