# MovingShapes, test split: the generated data set's open questions, asked as in training (the question alone).
benchmark = dict(type="MovingShapes", data_root="data/moving_shapes/")
evaluator = dict(type="ExactMatch")
