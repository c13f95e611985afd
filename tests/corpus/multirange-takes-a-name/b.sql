create type r as range (subtype = uuid, multirange_type_name = m);
