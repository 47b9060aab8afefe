;; Sends the request that its url describes, as often as that says, and answers with what came of the last.
;; The url is lines: method and scheme (numbers of their cases), authority, path, a header's name and value, a body, how
;; many blocks of 4,096 `x` follow it, how often, what to do with the answer (`r` read it, `h` look at its status alone,
;; `d` drop it before it comes, `k` keep it and answer at once, `b` ask for it without end), and the milliseconds to
;; wait for bytes. The new url is `STATUS LENGTH END BODY`, or the name of what failed and the number of its error.
;; import wasi:http/types@0.2.0;
;; import wasi:http/outgoing-handler@0.2.0;
;; import wasi:io/error@0.2.0;
;; import wasi:io/poll@0.2.0;
;; import wasi:io/streams@0.2.0;
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
(module
  (import "wasi:http/types@0.2.0" "[constructor]fields" (func $new-fields (result i32)))
  (import "wasi:http/types@0.2.0" "[method]fields.append"
    (func $append (param i32 i32 i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.0" "[constructor]outgoing-request" (func $new-request (param i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-request.set-method"
    (func $set-method (param i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-request.set-scheme"
    (func $set-scheme (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-request.set-authority"
    (func $set-authority (param i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-request.set-path-with-query"
    (func $set-path (param i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-request.body" (func $body (param i32 i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-body.write" (func $write (param i32 i32)))
  (import "wasi:http/types@0.2.0" "[static]outgoing-body.finish" (func $finish (param i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.0" "[constructor]request-options" (func $new-options (result i32)))
  (import "wasi:http/types@0.2.0" "[method]request-options.set-first-byte-timeout"
    (func $set-first-byte (param i32 i32 i64) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]request-options.set-between-bytes-timeout"
    (func $set-between-bytes (param i32 i32 i64) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]future-incoming-response.subscribe"
    (func $subscribe (param i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]future-incoming-response.get" (func $get (param i32 i32)))
  (import "wasi:http/types@0.2.0" "[method]incoming-response.status" (func $status (param i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]incoming-response.consume" (func $consume (param i32 i32)))
  (import "wasi:http/types@0.2.0" "[method]incoming-body.stream" (func $stream (param i32 i32)))
  (import "wasi:http/types@0.2.0" "[resource-drop]request-options" (func $drop-options (param i32)))
  (import "wasi:http/types@0.2.0" "[resource-drop]future-incoming-response" (func $drop-future (param i32)))
  (import "wasi:http/types@0.2.0" "[resource-drop]incoming-response" (func $drop-response (param i32)))
  (import "wasi:http/types@0.2.0" "[resource-drop]incoming-body" (func $drop-body (param i32)))
  (import "wasi:http/outgoing-handler@0.2.0" "handle" (func $handle (param i32 i32 i32 i32)))
  (import "wasi:io/error@0.2.0" "[method]error.to-debug-string" (func $debug (param i32 i32)))
  (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))
  (import "wasi:io/poll@0.2.0" "[resource-drop]pollable" (func $drop-pollable (param i32)))
  (import "wasi:io/streams@0.2.0" "[method]input-stream.blocking-read" (func $read (param i32 i64 i32)))
  (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush"
    (func $write-out (param i32 i32 i32 i32)))
  (import "wasi:io/streams@0.2.0" "[resource-drop]input-stream" (func $drop-input (param i32)))
  (import "wasi:io/streams@0.2.0" "[resource-drop]output-stream" (func $drop-output (param i32)))

  (memory (export "memory") 40)
  (data (i32.const 512) "error ")
  (data (i32.const 520) "header ")
  (data (i32.const 528) "invalid ")
  (data (i32.const 536) "dropped")
  (data (i32.const 544) " closed ")
  (data (i32.const 552) " failed (")
  (data (i32.const 562) ") ")
  (data (i32.const 568) "kept")

  ;; The answer at 1024, results of host calls at 2048, blocks at 4096, the new url at 8192, the body's start at
  ;; 16384, what the host passes from 131072 on.
  (global $free (mut i32) (i32.const 131072))
  (global $url (mut i32) (i32.const 0))
  (global $end (mut i32) (i32.const 0))
  (global $at (mut i32) (i32.const 0))
  (global $size (mut i32) (i32.const 0))
  (global $out (mut i32) (i32.const 8192))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
    (global.set $free (i32.add (local.get $at) (local.get 3)))
    (local.get $at))

  ;; Line `n` of the url becomes `at` and `size`.
  (func $line (param $n i32)
    (local $to i32)
    (global.set $at (global.get $url))
    (block $found
      (loop $next
        (local.set $to (global.get $at))
        (block $ended
          (loop $again
            (br_if $ended (i32.ge_u (local.get $to) (global.get $end)))
            (br_if $ended (i32.eq (i32.load8_u (local.get $to)) (i32.const 10)))
            (local.set $to (i32.add (local.get $to) (i32.const 1)))
            (br $again)))
        (global.set $size (i32.sub (local.get $to) (global.get $at)))
        (br_if $found (i32.eqz (local.get $n)))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (global.set $at (i32.add (local.get $to) (i32.const 1)))
        (br $next))))
  (func $number (param $n i32) (result i32)
    (local $value i32)
    (call $line (local.get $n))
    (block $done
      (loop $again
        (br_if $done (i32.eqz (global.get $size)))
        (local.set $value (i32.add
          (i32.mul (local.get $value) (i32.const 10))
          (i32.sub (i32.load8_u (global.get $at)) (i32.const 48))))
        (global.set $at (i32.add (global.get $at) (i32.const 1)))
        (global.set $size (i32.sub (global.get $size) (i32.const 1)))
        (br $again)))
    (local.get $value))

  (func $put (param $from i32) (param $size i32)
    (memory.copy (global.get $out) (local.get $from) (local.get $size))
    (global.set $out (i32.add (global.get $out) (local.get $size))))
  (func $put-number (param $value i32)
    (if (i32.ge_u (local.get $value) (i32.const 10))
      (then (call $put-number (i32.div_u (local.get $value) (i32.const 10)))))
    (i32.store8 (global.get $out) (i32.add (i32.const 48) (i32.rem_u (local.get $value) (i32.const 10))))
    (global.set $out (i32.add (global.get $out) (i32.const 1))))
  (func $put-error (param $code i32)
    (call $put (i32.const 512) (i32.const 6))
    (call $put-number (local.get $code)))

  ;; Writes the body to the stream. Whether it was taken shows in the answer.
  (func $send-body (param $to i32)
    (local $blocks i32)
    (call $line (i32.const 6))
    (call $write-out (local.get $to) (global.get $at) (global.get $size) (i32.const 2048))
    (local.set $blocks (call $number (i32.const 7)))
    (block $done
      (loop $again
        (br_if $done (i32.load8_u (i32.const 2048)))
        (br_if $done (i32.eqz (local.get $blocks)))
        (call $write-out (local.get $to) (i32.const 4096) (i32.const 4096) (i32.const 2048))
        (local.set $blocks (i32.sub (local.get $blocks) (i32.const 1)))
        (br $again))))

  ;; Reads to the end and says how much it was, how it ended, and how it began.
  (func $read-all (param $from i32)
    (local $length i32) (local $kept i32) (local $keep i32) (local $free i32)
    (local.set $free (global.get $free))
    (block $ended
      (loop $again
        (global.set $free (local.get $free))
        (call $read (local.get $from) (i64.const 65536) (i32.const 2048))
        (br_if $ended (i32.load8_u (i32.const 2048)))
        (local.set $keep (i32.load (i32.const 2056)))
        (local.set $length (i32.add (local.get $length) (local.get $keep)))
        (if (i32.gt_u (local.get $keep) (i32.sub (i32.const 1024) (local.get $kept)))
          (then (local.set $keep (i32.sub (i32.const 1024) (local.get $kept)))))
        (memory.copy
          (i32.add (i32.const 16384) (local.get $kept)) (i32.load (i32.const 2052)) (local.get $keep))
        (local.set $kept (i32.add (local.get $kept) (local.get $keep)))
        (br $again)))
    (call $put-number (local.get $length))
    (if (i32.load8_u (i32.const 2052))
      (then (call $put (i32.const 544) (i32.const 8)))
      (else
        (call $put (i32.const 552) (i32.const 9))
        (call $debug (i32.load (i32.const 2056)) (i32.const 2048))
        (call $put (i32.load (i32.const 2048)) (i32.load (i32.const 2052)))
        (call $put (i32.const 562) (i32.const 2))))
    (call $put (i32.const 16384) (local.get $kept)))

  (func $send
    (local $fields i32) (local $request i32) (local $options i32) (local $patience i32)
    (local $body i32) (local $to i32) (local $future i32) (local $ready i32) (local $response i32) (local $mode i32)
    (global.set $out (i32.const 8192))
    (local.set $fields (call $new-fields))
    (call $line (i32.const 5))
    (local.set $body (global.get $at))
    (local.set $to (global.get $size))
    (call $line (i32.const 4))
    (if (global.get $size)
      (then
        (call $append (local.get $fields) (global.get $at) (global.get $size) (local.get $body) (local.get $to)
          (i32.const 2048))
        (if (i32.load8_u (i32.const 2048))
          (then
            (call $put (i32.const 520) (i32.const 7))
            (call $put-number (i32.load8_u (i32.const 2049)))
            (return)))))
    (local.set $request (call $new-request (local.get $fields)))
    (drop (call $set-method (local.get $request) (call $number (i32.const 0)) (i32.const 512) (i32.const 5)))
    (if (call $set-scheme (local.get $request) (i32.const 1) (call $number (i32.const 1))
        (i32.const 529) (i32.const 1))
      (then (call $put (i32.const 528) (i32.const 8)) (call $put-number (i32.const 1)) (return)))
    (call $line (i32.const 2))
    (if (call $set-authority (local.get $request) (i32.const 1) (global.get $at) (global.get $size))
      (then (call $put (i32.const 528) (i32.const 8)) (call $put-number (i32.const 2)) (return)))
    (call $line (i32.const 3))
    (if (call $set-path (local.get $request) (i32.const 1) (global.get $at) (global.get $size))
      (then (call $put (i32.const 528) (i32.const 8)) (call $put-number (i32.const 3)) (return)))
    (local.set $options (call $new-options))
    (local.set $patience (call $number (i32.const 10)))
    (if (local.get $patience)
      (then
        (drop (call $set-first-byte (local.get $options) (i32.const 1)
          (i64.mul (i64.extend_i32_u (local.get $patience)) (i64.const 1000000))))
        (drop (call $set-between-bytes (local.get $options) (i32.const 1)
          (i64.mul (i64.extend_i32_u (local.get $patience)) (i64.const 1000000))))))

    (local.set $body (i32.const 0))
    (call $line (i32.const 6))
    (if (i32.or (global.get $size) (call $number (i32.const 7)))
      (then
        (call $body (local.get $request) (i32.const 2048))
        (if (i32.load8_u (i32.const 2048))
          (then (call $put (i32.const 528) (i32.const 8)) (call $put-number (i32.const 6)) (return)))
        (local.set $body (i32.load (i32.const 2052)))
        (call $write (local.get $body) (i32.const 2048))
        (local.set $to (i32.load (i32.const 2052)))))
    (call $handle (local.get $request) (i32.const 1) (local.get $options) (i32.const 2048))
    (if (i32.load8_u (i32.const 2048))
      (then (call $put-error (i32.load8_u (i32.const 2056))) (return)))
    (local.set $future (i32.load (i32.const 2056)))
    (if (local.get $body)
      (then
        (call $send-body (local.get $to))
        (call $drop-output (local.get $to))
        (call $finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 2048))))

    (call $line (i32.const 9))
    (local.set $mode (i32.load8_u (global.get $at)))
    (if (i32.eq (local.get $mode) (i32.const 100)) ;; d
      (then (call $drop-future (local.get $future)) (call $put (i32.const 536) (i32.const 7)) (return)))
    (if (i32.eq (local.get $mode) (i32.const 107)) ;; k
      (then (call $put (i32.const 568) (i32.const 4)) (return)))
    (if (i32.ne (local.get $mode) (i32.const 98)) ;; b
      (then
        (local.set $ready (call $subscribe (local.get $future)))
        (call $block (local.get $ready))
        (call $drop-pollable (local.get $ready))))
    (loop $ask
      (call $get (local.get $future) (i32.const 2048))
      (br_if $ask (i32.eqz (i32.load8_u (i32.const 2048)))))
    (if (i32.load8_u (i32.const 2064))
      (then
        (call $put-error (i32.load8_u (i32.const 2072)))
        (call $drop-future (local.get $future))
        (return)))
    (local.set $response (i32.load (i32.const 2072)))
    (call $put-number (call $status (local.get $response)))
    (if (i32.eq (local.get $mode) (i32.const 114)) ;; r
      (then
        (i32.store8 (global.get $out) (i32.const 32))
        (global.set $out (i32.add (global.get $out) (i32.const 1)))
        (call $consume (local.get $response) (i32.const 2048))
        (local.set $body (i32.load (i32.const 2052)))
        (call $stream (local.get $body) (i32.const 2048))
        (local.set $to (i32.load (i32.const 2052)))
        (call $read-all (local.get $to))
        (call $drop-input (local.get $to))
        (call $drop-body (local.get $body))))
    (call $drop-response (local.get $response))
    (call $drop-future (local.get $future)))

  (func $run-filter (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param $url i32) (param $url-len i32) (param $org i32) (param $org-len i32) (result i32)
    (local $left i32)
    (global.set $url (local.get $url))
    (global.set $end (i32.add (local.get $url) (local.get $url-len)))
    (memory.fill (i32.const 4096) (i32.const 0x78) (i32.const 4096))
    (local.set $left (call $number (i32.const 8)))
    (loop $again
      (call $send)
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (i32.gt_s (local.get $left) (i32.const 0))))
    (i32.store8 (i32.const 1032) (i32.const 1)) ;; some url
    (i32.store (i32.const 1036) (i32.const 8192))
    (i32.store (i32.const 1040) (i32.sub (global.get $out) (i32.const 8192)))
    (i32.const 1024)))
