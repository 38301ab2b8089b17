// Writes the JSON Schemas that editors use; run it after a build, whenever a schema in src/config/ changed.
import { writeFileSync } from 'node:fs';
import { jsonSchemaFiles } from '../dist/config/json-schema.js';

for (const [path, text] of Object.entries(jsonSchemaFiles())) {
  writeFileSync(new URL(`../${path}`, import.meta.url), text);
  process.stdout.write(`wrote ${path}\n`);
}
