# expect: CH0106 line 1
import chainctl as chains


from parts.chainlets import Shared

USED = Shared
