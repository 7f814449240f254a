# expect: CH1202 line 6
import truss_chains as chains


@chains.mark_entrypoint
class Speech(chains.TrussChainlet):
    truss_dir = "../../trusses/stream"
