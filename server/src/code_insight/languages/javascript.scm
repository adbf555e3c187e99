(class_declaration name: (identifier) @name) @definition.class
(class_declaration name: (identifier) @name (class_heritage [(identifier) (member_expression)] @base))
(variable_declarator name: (identifier) @name value: (class (class_heritage [(identifier) (member_expression)] @base)))
(field_definition property: [(property_identifier) (private_property_identifier)] @name
  value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) @definition.method
(field_definition property: [(property_identifier) (private_property_identifier)] @name) @definition.field

;;; occurrences

(class_heritage (identifier) @reference.inherit)
(class_heritage (member_expression property: (property_identifier) @reference.inherit))

;;; bindings

(field_definition property: [(property_identifier) (private_property_identifier)] @target value: (_) @value)
(formal_parameters (identifier) @target)
(formal_parameters (assignment_pattern left: (identifier) @target))
(formal_parameters (rest_pattern (identifier) @target))
(formal_parameters (object_pattern (shorthand_property_identifier_pattern) @target))
