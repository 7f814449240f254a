import datetime
import decimal
import fractions
import pathlib
import uuid

import chainctl as chains


class A(chains.ChainletBase):
    def run_remote(self, a: datetime.datetime, b: datetime.date, c: datetime.timedelta, d: decimal.Decimal, e: uuid.UUID, f: pathlib.Path, g: fractions.Fraction) -> uuid.UUID:
        return e
