/* The script of a page of this kind. */

import { SegmentPage } from "./segment_page";
import { start } from "./start";

start(SegmentPage);
