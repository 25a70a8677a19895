import { Table } from "@mantine/core";
import type { ReactNode } from "react";

export interface Column<Row> {
  header: string;
  cell: (row: Row) => ReactNode;
  /** Left out on a narrow screen. */
  isExtra?: boolean;
}

/** A table of objects, one in each row, with its name for screen readers. */
export function DataTable<Row>({
  name,
  rows,
  keyOf,
  columns,
}: {
  name: string;
  rows: readonly Row[];
  keyOf: (row: Row) => string;
  columns: readonly Column<Row>[];
}) {
  const visibility = (column: Column<Row>) =>
    column.isExtra === true ? ({ visibleFrom: "sm" } as const) : {};
  return (
    <Table aria-label={name} verticalSpacing="xs" layout="auto">
      <Table.Thead>
        <Table.Tr>
          {columns.map((column) => (
            <Table.Th key={column.header} scope="col" {...visibility(column)}>
              {column.header}
            </Table.Th>
          ))}
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {rows.map((row) => (
          <Table.Tr key={keyOf(row)}>
            {columns.map((column) => (
              <Table.Td
                key={column.header}
                style={{ overflowWrap: "anywhere" }}
                {...visibility(column)}
              >
                {column.cell(row)}
              </Table.Td>
            ))}
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
