"""Where a late contribution stands: which transfer of the person it follows, and whether it is swept along with it."""

from workflows.residuals import SWEPT_ALONG_MONTHS

# The person's last transfer away from there that did not come to nothing. What reopened its money does not make it younger: the
# months count from its first completion.
FOLLOWED_SQL = """
left join lateral (
    select t.transfer_id, t.status,
           (select min(occurred_at) from transfer_events e
             where e.transfer_id = t.transfer_id and e.type like 'completed.%') as completed_at
      from transfers t
     where t.person_id = c.person_id and t.from_region = c.region and t.from_scheme = c.scheme
       and t.status not in ('DECLINED', 'WITHDRAWN', 'TERMINATED')
     order by t.submitted_at desc limit 1) followed on true
"""
# The state of contribution `c`, which came at `c.received_at`, beside the transfer that it follows.
STANDING_SQL = f"""
case when followed.transfer_id is null then 'NO_TRANSFER'
     when followed.completed_at is null then 'WAITS_FOR_COMPLETION'
     when (c.received_at at time zone 'Asia/Shanghai')::date
          > (followed.completed_at at time zone 'Asia/Shanghai')::date + interval '{SWEPT_ALONG_MONTHS} months' then 'TOO_LATE'
     when followed.status <> 'COMPLETED' then 'WAITS_FOR_COMPLETION'
     else 'AWAITS_SWEEP' end
"""
