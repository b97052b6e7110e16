# MovingShapes, test split, as multiple choice among the possible answers.
benchmark = dict(type="MovingShapes", multiple_choice=True, data_root="data/moving_shapes/")
evaluator = dict(type="MultipleChoice")
