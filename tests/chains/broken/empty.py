# expect: CH0106 line 1
