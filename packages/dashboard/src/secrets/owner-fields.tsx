import { Textarea, TextInput } from "@mantine/core";

interface FieldOf {
  value: string;
  onChange: (value: string) => void;
}

export function NameField({ value, onChange }: FieldOf) {
  return (
    <TextInput
      label="Name"
      required
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  );
}

export function AllowlistField({ value, onChange }: FieldOf) {
  return (
    <Textarea
      label="Egress allowlist"
      description="Hosts that its sandboxes may reach, one per line: api.example.com, *.example.com, tcp://db.example.com:5432. Empty: all."
      autosize
      minRows={2}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  );
}
