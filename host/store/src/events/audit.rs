//! What is asked of the journal by a check.

/// Each says what it found wrong, a row a problem.
pub(crate) const QUESTIONS: &[&str] = &[
    "SELECT 'receiver: plugin ' || plugin || ': ' || open || ' open, ' || delivered || ' delivered, ' || dead
            || ' dead, ' || discarded || ' discarded counted, ' || present_open || ', ' || present_delivered || ', '
            || present_dead || ', ' || present_discarded || ' present'
     FROM receiver JOIN (
       SELECT id AS present, count(state) FILTER (WHERE class = 'open') AS present_open,
              count(state) FILTER (WHERE class = 'delivered') AS present_delivered,
              count(state) FILTER (WHERE class = 'dead') AS present_dead,
              count(state) FILTER (WHERE class = 'discarded') AS present_discarded
       FROM receiver LEFT JOIN delivery ON receiver = id GROUP BY id) ON present = id
     WHERE (open, delivered, dead, discarded)
           <> (present_open, present_delivered, present_dead, present_discarded) LIMIT 100",
    "SELECT 'event: event ' || seq || ': ' || open || ' open and ' || dead || ' dead counted, ' || present_open || ' and '
            || present_dead || ' present'
     FROM (SELECT seq, open, event.dead AS dead,
                  (SELECT count(*) FROM delivery WHERE event = seq AND class = 'open') AS present_open,
                  (SELECT count(*) FROM delivery WHERE event = seq AND class = 'dead') AS present_dead
           FROM event)
     WHERE open <> present_open OR dead <> present_dead LIMIT 100",
    "SELECT 'event_total: ' || class || ': ' || sum(counted) || ' events counted, ' || sum(present)
            || ' present; of them bytes ' || sum(counted_bytes) || ' and ' || sum(present_bytes)
     FROM (SELECT class, events AS counted, bytes AS counted_bytes, 0 AS present, 0 AS present_bytes FROM event_total
           UNION ALL
           SELECT class, 0, 0, count(*), sum(bytes) FROM event GROUP BY class)
     GROUP BY class HAVING sum(counted) <> sum(present) OR sum(counted_bytes) <> sum(present_bytes)",
    "SELECT 'event: event ' || event.seq || ' has '
            || CASE WHEN event_data.seq IS NULL THEN 'no data' ELSE 'not the bytes that it says' END
     FROM event LEFT JOIN event_data ON event_data.seq = event.seq
     WHERE event_data.seq IS NULL OR event.bytes <> octet_length(data) + octet_length(extensions) LIMIT 100",
    "SELECT 'delivery: plugin ' || plugin || ', key ' || order_key || ': ' || count(*) || ' wait or run, '
            || sum(state <> 'held') || ' of them are ready or running, not 1'
     FROM delivery JOIN receiver ON id = receiver
     WHERE order_key IS NOT NULL AND ended_at IS NULL
     GROUP BY receiver, order_key HAVING sum(state <> 'held') <> 1 LIMIT 100",
    "SELECT 'delivery: plugin ' || plugin || ', event ' || event || ': it is ready, an earlier one with its key is open'
     FROM delivery AS this JOIN receiver ON id = receiver
     WHERE state = 'ready' AND order_key IS NOT NULL AND ended_at IS NULL
       AND EXISTS (SELECT 1 FROM delivery AS other
                   WHERE other.receiver = this.receiver AND other.order_key = this.order_key
                     AND other.ended_at IS NULL AND other.event < this.event) LIMIT 100",
    "SELECT 'delivery: plugin ' || plugin || ', event ' || event || ': it is ' || state || ' and '
            || CASE state WHEN 'held' THEN 'has no key' WHEN 'running' THEN 'no attempt began' ELSE 'has no reason' END
     FROM delivery JOIN receiver ON id = receiver
     WHERE state = 'held' AND order_key IS NULL
        OR state = 'running' AND (attempts = 0 OR began_at IS NULL OR claimed_at IS NULL)
        OR state = 'dead' AND reason IS NULL LIMIT 100",
    "SELECT 'delivery: plugin ' || plugin || ', event ' || event || ': ' || attempts || ' attempts, ' || failures
            || ' failures, the last attempt that was written down is number ' || last
     FROM (SELECT *, (SELECT max(number) FROM delivery_attempt AS attempt
                      WHERE attempt.receiver = this.receiver AND attempt.event = this.event) AS last
           FROM delivery AS this) JOIN receiver ON id = receiver
     WHERE failures > attempts OR last > attempts LIMIT 100",
];
