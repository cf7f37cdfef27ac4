/* The script of a page of this kind. */

import type { PlanarRecord } from "./data";
import { PlanarPage } from "./planar_page";
import { planeOf } from "./plane";
import { start } from "./start";

start(PlanarPage, (record, found) => planeOf(record as PlanarRecord, found));
