"""What a sensor will read next, with a band, judged by how it did on the sensor's own past. Pure.

`steps` lays readings on a grid, the forecasters each make one of the next steps, `backtest` lets
them compete from origins in the past, `bands` turns their errors there into a band, and `crossing`
says whether a limit will be met.
"""
