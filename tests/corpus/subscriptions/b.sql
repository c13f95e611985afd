create subscription keep connection 'host=elsewhere dbname=a' publication p with (connect = false, slot_name = 'keep_slot');
create subscription change connection 'host=elsewhere dbname=b' publication "Q", p with (connect = false, slot_name = none, binary = true, streaming = on, disable_on_error = true, synchronous_commit = 'remote_apply');
create subscription two connection 'host=elsewhere' publication p with (connect = false, slot_name = none, two_phase = true);
create subscription fresh connection 'postgresql://somebody@elsewhere:5433/b' publication p with (connect = false);
comment on subscription keep is 'kept';
