(function_definition name: (word) @name) @definition.function
(variable_assignment name: (variable_name) @name) @definition.variable
((command name: (command_name (word) @_command) . argument: (_) @import.module)
  (#any-of? @_command "source" "."))

;;; occurrences

(variable_name) @reference.name
(command_name (word) @reference.call)
(comment) @comment
