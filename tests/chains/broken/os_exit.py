# expect: CH0112 line 0
import chainctl as chains


import os

os._exit(3)
