# expect: CH0112 line 0
import chainctl as chains


import os
import signal

os.kill(os.getpid(), signal.SIGKILL)
