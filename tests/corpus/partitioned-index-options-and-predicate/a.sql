create table p (part int) partition by list (part);
