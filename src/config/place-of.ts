/**
 * Where a setting stands in its file, for problems that only show while running: the file is read again, as configurations
 * keep no places. Knows no shape.
 * @module
 */

import { readConfigFile } from './read-config.ts';
import { type Path, parseYaml } from './yaml-source.ts';

/** `file:line:column` of the value at `path`, or of the nearest thing that is there; the file alone when it is gone. */
export function placeOf(file: string, path: Path): string {
  const read = readConfigFile(file);
  if (!read.ok) return file;
  const before = read.file.text.slice(0, parseYaml(read.file).valueRange(path).start).split('\n');
  return `${file}:${before.length}:${(before.at(-1)?.length ?? 0) + 1}`;
}

/** As people write it: `listeners[0].address`. */
export function pathText(path: Path): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    return text === '' ? String(step) : `${text}.${String(step)}`;
  }, '');
}
