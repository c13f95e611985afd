create subscription keep connection 'host=elsewhere dbname=a' publication p with (connect = false, slot_name = 'keep_slot');
create subscription change connection 'host=elsewhere dbname=a' publication p, q with (connect = false, slot_name = 'change_slot');
create subscription two connection 'host=elsewhere' publication p with (connect = false, slot_name = none);
create subscription gone connection 'host=elsewhere' publication p with (connect = false);
