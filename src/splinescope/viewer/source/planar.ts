/* The script of a page of this kind. */

import { PlanarPage } from "./planar_page";
import { start } from "./start";

start(PlanarPage);
