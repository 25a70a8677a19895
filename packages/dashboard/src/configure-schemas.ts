import { config } from "zod";

// Before any schema is made: the library would otherwise try to make code from text, which the
// page's security policy forbids.
config({ jitless: true });
