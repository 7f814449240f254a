"""ChainGraph and file snapshot in; BuildPlan with one content-addressed BuildContext per image out. Pure."""
