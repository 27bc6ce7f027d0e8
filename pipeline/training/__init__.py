"""The one training function of every task: TFX's Trainer and Tuner call it by dotted path."""
