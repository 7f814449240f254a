"""Names of Truss and Truss Chains in; chainctl's own things that stand for them out."""
