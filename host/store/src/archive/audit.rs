//! What is asked of the counters by a check.

/// Each says what it found wrong, a row a problem.
pub(crate) const QUESTIONS: &[&str] = &[
    "SELECT 'archive_count: user ' || user_id || ', is_archived ' || is_archived || ': '
            || sum(counted) || ' counted, ' || sum(present) || ' present'
     FROM (SELECT user_id, is_archived, rows AS counted, 0 AS present FROM archive_count
           UNION ALL
           SELECT user_id, is_archived, 0, count(*) FROM archive_status GROUP BY user_id, is_archived)
     GROUP BY user_id, is_archived HAVING sum(counted) <> sum(present) LIMIT 100",
    "SELECT 'archive_total: is_archived ' || is_archived || ': ' || sum(counted) || ' counted, ' || sum(present)
            || ' present; of them undated ' || sum(counted_undated) || ' and ' || sum(present_undated)
     FROM (SELECT is_archived, rows AS counted, undated AS counted_undated, 0 AS present, 0 AS present_undated
           FROM archive_total
           UNION ALL
           SELECT is_archived, 0, 0, count(*), count(*) - count(archive_date) FROM archive_status GROUP BY is_archived)
     GROUP BY is_archived
     HAVING sum(counted) <> sum(present) OR sum(counted_undated) <> sum(present_undated)",
    "WITH span AS (
       SELECT 'archive_block' AS name, start, open, archived,
         coalesce(lead(start) OVER (ORDER BY start) - 1, 9223372036854775807) AS last FROM archive_block
       UNION ALL
       SELECT 'archive_shelf', start, open, archived,
         coalesce(lead(start) OVER (ORDER BY start) - 1, 9223372036854775807) FROM archive_shelf),
     seen AS (
       SELECT name, start, open + archived AS counted, archived,
         (SELECT count(*) FROM archive_status WHERE updated_at BETWEEN start AND last) AS present,
         (SELECT count(*) FROM archive_status WHERE is_archived = 1 AND updated_at BETWEEN start AND last) AS archived_present
       FROM span)
     SELECT name || ': from ' || start || ': ' || counted || ' counted, ' || present || ' present; of them archived '
            || archived || ' and ' || archived_present
     FROM seen WHERE counted <> present OR archived <> archived_present LIMIT 100",
    "SELECT 'archive_shelf: no block begins with the shelf from ' || start
     FROM archive_shelf WHERE start NOT IN (SELECT start FROM archive_block) LIMIT 100",
    "SELECT 'archive_shelf: the bottom is missing'
     WHERE NOT EXISTS (SELECT 1 FROM archive_shelf WHERE start = -9223372036854775808)",
];
