"""Operations of a deploy plan in, processes on this machine and a front door that serves them out.

One detached supervisor per chain owns the service processes and the front door; the target talks
to it over a Unix socket. Memory limits are not enforced on this target, and a fraction of a CPU
only sizes the thread pools of numeric libraries: a container is the place for hard limits.
"""
