; follows
;;; occurrences
