;; Does with its rows what the url says: an operation, a bucket, and what the operation takes, with `|` between. The url
;; it answers with is what came of it.
;; import wasi:keyvalue/store@0.2.0-draft;
;; import wasi:keyvalue/atomics@0.2.0-draft;
;; import wasi:keyvalue/batch@0.2.0-draft;
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
;;
;; get|B|K           its value, `none`
;; set|B|K|V         `done`
;; delete|B|K        `done`
;; exists|B|K        `true`, `false`
;; list|B|N          a page from cursor N (none when it is empty): each key and a comma, then the next cursor or `end`
;; increment|B|K|N   the sum
;; Get|B|K|…         get-many: each key, `=`, its value and a comma; `none,` for one that is not there
;; Set|B|K|V|…       set-many: `done`
;; Delete|B|K|…      delete-many: `done`
;; Whatever fails: `no-such-store`, `access-denied`, `other: ` and the text. After a `set` of a value that ends with `!`
;; the call traps.
(module
  (import "wasi:keyvalue/store@0.2.0-draft" "open" (func $open (param i32 i32 i32)))
  (import "wasi:keyvalue/store@0.2.0-draft" "[method]bucket.get" (func $get (param i32 i32 i32 i32)))
  (import "wasi:keyvalue/store@0.2.0-draft" "[method]bucket.set" (func $set (param i32 i32 i32 i32 i32 i32)))
  (import "wasi:keyvalue/store@0.2.0-draft" "[method]bucket.delete" (func $delete (param i32 i32 i32 i32)))
  (import "wasi:keyvalue/store@0.2.0-draft" "[method]bucket.exists" (func $exists (param i32 i32 i32 i32)))
  (import "wasi:keyvalue/store@0.2.0-draft" "[method]bucket.list-keys" (func $list (param i32 i32 i64 i32)))
  (import "wasi:keyvalue/store@0.2.0-draft" "[resource-drop]bucket" (func $drop (param i32)))
  (import "wasi:keyvalue/atomics@0.2.0-draft" "increment" (func $increment (param i32 i32 i32 i64 i32)))
  (import "wasi:keyvalue/batch@0.2.0-draft" "get-many" (func $get-many (param i32 i32 i32 i32)))
  (import "wasi:keyvalue/batch@0.2.0-draft" "set-many" (func $set-many (param i32 i32 i32 i32)))
  (import "wasi:keyvalue/batch@0.2.0-draft" "delete-many" (func $delete-many (param i32 i32 i32 i32)))
  ;; 0: the answer. 128: what the host answered. 256: words. 65536: the fields of the url, each an address and a length,
  ;; which is how lists of strings and of pairs lie in memory. 1 MiB: what is answered. From 8 MiB: free.
  (memory (export "memory") 128)
  (data (i32.const 256) "none")
  (data (i32.const 264) "done")
  (data (i32.const 272) "true")
  (data (i32.const 280) "false")
  (data (i32.const 288) "end")
  (data (i32.const 296) "no-such-store")
  (data (i32.const 312) "access-denied")
  (data (i32.const 328) "other: ")
  (data (i32.const 336) ",=")
  (global $free (mut i32) (i32.const 0x800000))
  (global $out (mut i32) (i32.const 0x100000))
  (global $fields (mut i32) (i32.const 0))
  (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
    (global.set $free (i32.add (local.get $at) (local.get $size)))
    (loop $again
      (if (i32.gt_u (global.get $free) (i32.mul (memory.size) (i32.const 65536))) (then
        (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then (unreachable)))
        (br $again))))
    (local.get $at))
  (func $put (param $from i32) (param $size i32)
    (memory.copy (global.get $out) (local.get $from) (local.get $size))
    (global.set $out (i32.add (global.get $out) (local.get $size))))
  (func $put-number (param $number i64)
    (if (i64.ge_u (local.get $number) (i64.const 10)) (then
      (call $put-number (i64.div_u (local.get $number) (i64.const 10)))))
    (i64.store8 (global.get $out) (i64.add (i64.const 48) (i64.rem_u (local.get $number) (i64.const 10))))
    (global.set $out (i32.add (global.get $out) (i32.const 1))))
  (func $address (param $field i32) (result i32)
    (i32.load (i32.add (i32.const 65536) (i32.mul (local.get $field) (i32.const 8)))))
  (func $length (param $field i32) (result i32)
    (i32.load (i32.add (i32.const 65540) (i32.mul (local.get $field) (i32.const 8)))))
  (func $number (param $field i32) (result i64)
    (local $at i32) (local $end i32) (local $number i64)
    (local.set $at (call $address (local.get $field)))
    (local.set $end (i32.add (local.get $at) (call $length (local.get $field))))
    (loop $again
      (if (i32.lt_u (local.get $at) (local.get $end)) (then
        (local.set $number (i64.add
          (i64.mul (local.get $number) (i64.const 10))
          (i64.sub (i64.load8_u (local.get $at)) (i64.const 48))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $again))))
    (local.get $number))
  (func $split (param $at i32) (param $size i32)
    (local $end i32) (local $start i32)
    (local.set $end (i32.add (local.get $at) (local.get $size)))
    (local.set $start (local.get $at))
    (loop $again
      (if (i32.eq (local.get $at) (local.get $end))
        (then (call $field (local.get $start) (local.get $at)) (return)))
      (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 0x7c)) (then
        (call $field (local.get $start) (local.get $at))
        (local.set $start (i32.add (local.get $at) (i32.const 1)))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br $again)))
  (func $field (param $start i32) (param $end i32)
    (local $at i32)
    (local.set $at (i32.add (i32.const 65536) (i32.mul (global.get $fields) (i32.const 8))))
    (i32.store (local.get $at) (local.get $start))
    (i32.store offset=4 (local.get $at) (i32.sub (local.get $end) (local.get $start)))
    (global.set $fields (i32.add (global.get $fields) (i32.const 1))))
  ;; Puts the error whose variant lies there.
  (func $failed (param $at i32)
    (if (i32.eqz (i32.load8_u (local.get $at))) (then (call $put (i32.const 296) (i32.const 13)) (return)))
    (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 1))
      (then (call $put (i32.const 312) (i32.const 13)) (return)))
    (call $put (i32.const 328) (i32.const 7))
    (call $put (i32.load offset=4 (local.get $at)) (i32.load offset=8 (local.get $at))))
  ;; Whether the host's answer is an error, which lies there.
  (func $fails (param $at i32) (result i32)
    (if (i32.eqz (i32.load8_u (i32.const 128))) (then (return (i32.const 0))))
    (call $failed (local.get $at))
    (i32.const 1))
  (func $done
    (if (i32.eqz (call $fails (i32.const 132))) (then (call $put (i32.const 264) (i32.const 4)))))
  (func $put-keys
    (local $at i32) (local $left i32)
    (local.set $at (i32.load (i32.const 136)))
    (local.set $left (i32.load (i32.const 140)))
    (loop $again
      (if (local.get $left) (then
        (call $put (i32.load (local.get $at)) (i32.load offset=4 (local.get $at)))
        (call $put (i32.const 336) (i32.const 1))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br $again))))
    (if (i32.load8_u (i32.const 144))
      (then (call $put-number (i64.load (i32.const 152))))
      (else (call $put (i32.const 288) (i32.const 3)))))
  (func $put-pairs
    (local $at i32) (local $left i32)
    (local.set $at (i32.load (i32.const 132)))
    (local.set $left (i32.load (i32.const 136)))
    (loop $again
      (if (local.get $left) (then
        (if (i32.load8_u (local.get $at))
          (then
            (call $put (i32.load offset=4 (local.get $at)) (i32.load offset=8 (local.get $at)))
            (call $put (i32.const 337) (i32.const 1))
            (call $put (i32.load offset=12 (local.get $at)) (i32.load offset=16 (local.get $at))))
          (else (call $put (i32.const 256) (i32.const 4))))
        (call $put (i32.const 336) (i32.const 1))
        (local.set $at (i32.add (local.get $at) (i32.const 20)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br $again)))))
  ;; Traps when the last field ends with `!`.
  (func $trap-if-told
    (local $last i32)
    (local.set $last (i32.sub (global.get $fields) (i32.const 1)))
    (if (call $length (local.get $last)) (then
      (if (i32.eq (i32.const 0x21) (i32.load8_u (i32.sub
          (i32.add (call $address (local.get $last)) (call $length (local.get $last))) (i32.const 1))))
        (then (unreachable))))))
  (func $operate (param $operation i32) (param $bucket i32)
    (local $key i32) (local $size i32) (local $rest i32) (local $count i32)
    (local.set $key (call $address (i32.const 2)))
    (local.set $size (call $length (i32.const 2)))
    (local.set $rest (i32.const 65552))
    (local.set $count (i32.sub (global.get $fields) (i32.const 2)))
    (if (i32.eq (local.get $operation) (i32.const 0x67)) (then ;; get
      (call $get (local.get $bucket) (local.get $key) (local.get $size) (i32.const 128))
      (if (call $fails (i32.const 132)) (then (return)))
      (if (i32.load8_u (i32.const 132))
        (then (call $put (i32.load (i32.const 136)) (i32.load (i32.const 140))))
        (else (call $put (i32.const 256) (i32.const 4))))))
    (if (i32.eq (local.get $operation) (i32.const 0x73)) (then ;; set
      (call $set (local.get $bucket) (local.get $key) (local.get $size)
        (call $address (i32.const 3)) (call $length (i32.const 3)) (i32.const 128))
      (call $trap-if-told)
      (call $done)))
    (if (i32.eq (local.get $operation) (i32.const 0x64)) (then ;; delete
      (call $delete (local.get $bucket) (local.get $key) (local.get $size) (i32.const 128))
      (call $done)))
    (if (i32.eq (local.get $operation) (i32.const 0x65)) (then ;; exists
      (call $exists (local.get $bucket) (local.get $key) (local.get $size) (i32.const 128))
      (if (call $fails (i32.const 132)) (then (return)))
      (if (i32.load8_u (i32.const 132))
        (then (call $put (i32.const 272) (i32.const 4)))
        (else (call $put (i32.const 280) (i32.const 5))))))
    (if (i32.eq (local.get $operation) (i32.const 0x6c)) (then ;; list
      (call $list (local.get $bucket) (i32.ne (local.get $size) (i32.const 0)) (call $number (i32.const 2)) (i32.const 128))
      (if (call $fails (i32.const 136)) (then (return)))
      (call $put-keys)))
    (if (i32.eq (local.get $operation) (i32.const 0x69)) (then ;; increment
      (call $increment (local.get $bucket) (local.get $key) (local.get $size) (call $number (i32.const 3)) (i32.const 128))
      (if (call $fails (i32.const 136)) (then (return)))
      (call $put-number (i64.load (i32.const 136)))))
    (if (i32.eq (local.get $operation) (i32.const 0x47)) (then ;; Get
      (call $get-many (local.get $bucket) (local.get $rest) (local.get $count) (i32.const 128))
      (if (call $fails (i32.const 132)) (then (return)))
      (call $put-pairs)))
    (if (i32.eq (local.get $operation) (i32.const 0x53)) (then ;; Set
      (call $set-many (local.get $bucket) (local.get $rest) (i32.shr_u (local.get $count) (i32.const 1)) (i32.const 128))
      (call $done)))
    (if (i32.eq (local.get $operation) (i32.const 0x44)) (then ;; Delete
      (call $delete-many (local.get $bucket) (local.get $rest) (local.get $count) (i32.const 128))
      (call $done))))
  (func $run-filter (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param $url i32) (param $url-len i32) (param $org i32) (param $org-len i32) (result i32)
    (local $bucket i32)
    ;; The instance may have served a call before.
    (global.set $fields (i32.const 0))
    (global.set $out (i32.const 0x100000))
    (call $split (local.get $url) (local.get $url-len))
    (call $open (call $address (i32.const 1)) (call $length (i32.const 1)) (i32.const 128))
    (if (i32.eqz (call $fails (i32.const 132))) (then
      (local.set $bucket (i32.load (i32.const 132)))
      (call $operate (i32.load8_u (call $address (i32.const 0))) (local.get $bucket))
      (call $drop (local.get $bucket))))
    (i32.store8 (i32.const 8) (i32.const 1)) ;; some url
    (i32.store (i32.const 12) (i32.const 0x100000))
    (i32.store (i32.const 16) (i32.sub (global.get $out) (i32.const 0x100000)))
    (i32.const 0)))
