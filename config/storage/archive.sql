-- SPDX-License-Identifier: MIT
-- The archive of labpulse-archive: every record once. PostgreSQL 15 and SQLite 3.40 understand all of
-- it. Times are ms since 1970 UTC; topics are paths below parks/PARK/; body is the payload.

-- Everything that is numbered: telemetry (live or as history: the same record), jobs, events, gaps.
-- Its name is the key, so a repeat changes nothing, but for one whose clock is right at last.
CREATE TABLE message (
	park  TEXT   NOT NULL,
	topic TEXT   NOT NULL,
	gw    TEXT   NOT NULL,
	epoch TEXT   NOT NULL,
	seq   BIGINT NOT NULL,
	ts    BIGINT NOT NULL,
	clock TEXT   NOT NULL,
	body  JSONB  NOT NULL,
	PRIMARY KEY (park, topic, gw, epoch, seq)
);
CREATE INDEX message_ts ON message (park, topic, ts);

-- Totals as they grew. The totals count, not their differences: a report takes the last one before its
-- end and the last one before its beginning.
CREATE TABLE usage (
	park    TEXT   NOT NULL,
	machine TEXT   NOT NULL,
	gw      TEXT   NOT NULL,
	ts      BIGINT NOT NULL,
	body    JSONB  NOT NULL,
	PRIMARY KEY (park, machine, gw, ts)
);

-- What the broker holds as retained now: availability, info, state, health, alarms.
CREATE TABLE latest (
	park     TEXT   NOT NULL,
	topic    TEXT   NOT NULL,
	received BIGINT NOT NULL,
	body     JSONB  NOT NULL,
	PRIMARY KEY (park, topic)
);

-- Up to which number everything is here: what gateways with mqtt.ack: archiver are told.
CREATE TABLE confirmed (
	park  TEXT   NOT NULL,
	topic TEXT   NOT NULL,
	gw    TEXT   NOT NULL,
	epoch TEXT   NOT NULL,
	seq   BIGINT NOT NULL,
	PRIMARY KEY (park, topic, gw, epoch)
);

CREATE VIEW telemetry AS
	SELECT park, replace(replace(topic, 'machines/', ''), '/telemetry', '') AS machine, gw, epoch, seq, ts, clock,
	       body ->> 'source' AS source, body -> 'values' AS points, body -> 'errors' AS errors
	FROM message WHERE topic LIKE 'machines/%/telemetry';

CREATE VIEW event AS
	SELECT park, topic, gw, epoch, seq, ts, clock, body ->> 'type' AS type, body
	FROM message WHERE topic LIKE '%/event';

-- One line for each job; ended is null while it runs. energy_wh and the like are in body.
CREATE VIEW job AS
	SELECT s.park, replace(replace(s.topic, 'machines/', ''), '/job', '') AS machine, s.gw, s.body ->> 'job' AS job,
	       s.body ->> 'asset' AS asset, CAST(coalesce(e.body ->> 'started', s.body ->> 'started') AS BIGINT) AS started,
	       CAST(e.body ->> 'ended' AS BIGINT) AS ended, CAST(e.body ->> 'busy_s' AS BIGINT) AS busy_s,
	       e.body ->> 'result' AS result, e.body AS body
	FROM message s
	LEFT JOIN message e ON e.park = s.park AND e.topic = s.topic AND e.body ->> 'job' = s.body ->> 'job' AND e.body ->> 'type' = 'ended'
	WHERE s.topic LIKE 'machines/%/job' AND s.body ->> 'type' = 'started';

-- What gateways say will never come.
CREATE VIEW gap AS
	SELECT park, topic AS told_on, body ->> 'topic' AS topic, gw, body ->> 'of_epoch' AS epoch, CAST(body ->> 'from_seq' AS BIGINT) AS from_seq,
	       CAST(body ->> 'to_seq' AS BIGINT) AS to_seq, CAST(body ->> 'count' AS BIGINT) AS count, body ->> 'reason' AS reason
	FROM message WHERE topic LIKE 'gateways/%/gap';

-- Numbers between the first and the last one here that neither came nor stand in a gap. waiting is how
-- many records that gateway still has to send: while it is not 0 they may come.
CREATE VIEW missing AS
	WITH span AS (
		SELECT park, topic, gw, epoch, seq AS a, seq AS b FROM message
		UNION ALL
		SELECT park, topic, gw, epoch, from_seq, to_seq FROM gap
	), walk AS (
		SELECT park, topic, gw, epoch, a, max(b) OVER (PARTITION BY park, topic, gw, epoch ORDER BY a, b
		       ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached FROM span
	)
	SELECT w.park, w.topic, w.gw, w.epoch, w.reached + 1 AS from_seq, w.a - 1 AS to_seq,
	       CAST(h.body -> 'spool' ->> 'records' AS BIGINT) AS waiting
	FROM walk w LEFT JOIN latest h ON h.park = w.park AND h.topic = 'gateways/' || w.gw || '/health'
	WHERE w.a > w.reached + 1;
