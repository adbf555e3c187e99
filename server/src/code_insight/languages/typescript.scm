(class_declaration name: (type_identifier) @name) @definition.class
(abstract_class_declaration name: (type_identifier) @name) @definition.class
(interface_declaration name: (type_identifier) @name) @definition.interface
(type_alias_declaration name: (type_identifier) @name) @definition.type
(enum_declaration name: (identifier) @name) @definition.enum
(enum_body name: (property_identifier) @name @definition.constant)
(enum_assignment name: (property_identifier) @name) @definition.constant
(internal_module name: (_) @name) @definition.namespace
(module name: [(identifier) (nested_identifier)] @name) @definition.namespace
(module name: (string (string_fragment) @name)) @definition.module

(function_signature name: (identifier) @name) @definition.function
(method_signature name: [(property_identifier) (private_property_identifier)] @name) @definition.method
(abstract_method_signature name: [(property_identifier) (private_property_identifier)] @name) @definition.method
(public_field_definition name: [(property_identifier) (private_property_identifier)] @name
  value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) @definition.method
(public_field_definition name: [(property_identifier) (private_property_identifier)] @name) @definition.field
(interface_body (property_signature name: (property_identifier) @name) @definition.field)
(required_parameter (accessibility_modifier) pattern: (identifier) @name) @definition.field

(class_declaration name: (type_identifier) @name
  (class_heritage (extends_clause value: [(identifier) (member_expression)] @base)))
(abstract_class_declaration name: (type_identifier) @name
  (class_heritage (extends_clause value: [(identifier) (member_expression)] @base)))
(class_declaration name: (type_identifier) @name
  (class_heritage (implements_clause [(type_identifier) (nested_type_identifier)] @base)))
(abstract_class_declaration name: (type_identifier) @name
  (class_heritage (implements_clause [(type_identifier) (nested_type_identifier)] @base)))
(class_declaration name: (type_identifier) @name
  (class_heritage (implements_clause (generic_type name: (_) @base))))
(abstract_class_declaration name: (type_identifier) @name
  (class_heritage (implements_clause (generic_type name: (_) @base))))
(interface_declaration name: (type_identifier) @name
  (extends_type_clause type: [(type_identifier) (nested_type_identifier)] @base))
(interface_declaration name: (type_identifier) @name
  (extends_type_clause type: (generic_type name: (_) @base)))

(import_require_clause (identifier) @import.alias source: (string (string_fragment) @import.module))

;;; occurrences

(type_identifier) @reference.type
(extends_clause value: (identifier) @reference.inherit)
(extends_clause value: (member_expression property: (property_identifier) @reference.inherit))
(implements_clause (type_identifier) @reference.inherit)
(implements_clause (generic_type name: (type_identifier) @reference.inherit))
(implements_clause (nested_type_identifier name: (type_identifier) @reference.inherit))
(extends_type_clause type: (type_identifier) @reference.inherit)
(extends_type_clause type: (generic_type name: (type_identifier) @reference.inherit))
(extends_type_clause type: (nested_type_identifier name: (type_identifier) @reference.inherit))
(implements_clause (generic_type name: (nested_type_identifier name: (type_identifier) @reference.inherit)))
(extends_type_clause type: (generic_type name: (nested_type_identifier name: (type_identifier) @reference.inherit)))
(import_require_clause (identifier) @reference.import)
(ambient_declaration) @wrapper

;;; bindings

(public_field_definition name: [(property_identifier) (private_property_identifier)] @target !type value: (_) @value)
(public_field_definition name: [(property_identifier) (private_property_identifier)] @target
  type: (type_annotation (_) @type))
(interface_body (property_signature name: (property_identifier) @target type: (type_annotation (_) @type)))
(type_alias_declaration value: (object_type
  (property_signature name: (property_identifier) @target type: (type_annotation (_) @type))))
(required_parameter pattern: (this) @target type: (type_annotation (_) @type))
(variable_declarator name: (identifier) @target type: (type_annotation (_) @type))

(required_parameter pattern: (identifier) @target !type)
(required_parameter pattern: (identifier) @target type: (type_annotation (_) @type))
(optional_parameter pattern: (identifier) @target !type)
(optional_parameter pattern: (identifier) @target type: (type_annotation (_) @type))
(required_parameter (accessibility_modifier) pattern: (identifier) @property type: (type_annotation (_) @type))
(optional_parameter (accessibility_modifier) pattern: (identifier) @property type: (type_annotation (_) @type))
(required_parameter pattern: (rest_pattern (identifier) @target))
(required_parameter pattern: (object_pattern (shorthand_property_identifier_pattern) @target))
(required_parameter pattern: (object_pattern (shorthand_property_identifier_pattern) @target @part)
  type: (type_annotation (_) @type))
(required_parameter pattern: (object_pattern (pair_pattern key: (property_identifier) @key value: (identifier) @target))
  type: (type_annotation (_) @type))
(variable_declarator type: (type_annotation (_) @type) value: [(arrow_function) (function_expression)] @callback)
(public_field_definition type: (type_annotation (_) @type) value: [(arrow_function) (function_expression)] @callback)

(function_declaration return_type: (type_annotation (_) @returns))
(function_expression return_type: (type_annotation (_) @returns))
(function_signature return_type: (type_annotation (_) @returns))
(method_definition return_type: (type_annotation (_) @returns))
(method_signature return_type: (type_annotation (_) @returns))
(abstract_method_signature return_type: (type_annotation (_) @returns))
(arrow_function return_type: (type_annotation (_) @returns))
