"""Operations in; the objects of one Kubernetes cluster changed, and what is there observed, out."""
