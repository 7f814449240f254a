# expect: CH0103 line 5
import chainctl as chains


raise KeyboardInterrupt
