;; Waits on a shared memory for a thread that nobody starts.
;; outcome: refused invalid
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
(module
  (memory (export "memory") 1 1 shared)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $run-filter (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param $url i32) (param $url-len i32) (param $org i32) (param $org-len i32) (result i32)
    (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))
    (i32.const 0)))
