# expect: CH0208 line 5
import chainctl as chains


TOKEN = chains.depends_context().secrets
