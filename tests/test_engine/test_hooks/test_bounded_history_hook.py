from tests.test_engine.toy import toy_config, train


def test_history_stays_short_and_the_newest_is_kept(tmp_path):
    runner = train(toy_config(tmp_path, max_iters=40, default_hooks__bounded_history__length=10))
    history = runner.message_hub.get_scalar("train/loss_gen").data[0]
    assert history.tolist() == runner.model.losses[-10:]


def test_short_runs_keep_all(tmp_path):
    runner = train(toy_config(tmp_path))
    assert len(runner.message_hub.get_scalar("train/loss_gen").data[0]) == 12
