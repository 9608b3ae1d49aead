"""The curriculum: which environments a run draws from and at which level. Pure: no I/O, no clock."""
