"""Large buffers in; memory that the services of one machine share, and views of it, out."""
